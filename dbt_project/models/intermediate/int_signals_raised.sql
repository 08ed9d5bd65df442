{{ config(materialized='table') }}

{{ xmr_signals(charted=ref('int_measures_charted'), rule_set=var('signal_rules')) }}
