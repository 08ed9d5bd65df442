with actions as (
    select
        actions.action_slug,
        actions.organisation_slug,
        actions.service_slug,
        actions.measure_slug,
        actions.theme_slug,
        actions.topic_slug,
        actions.taken_on,
        actions.what_patients_said,
        actions.what_was_done,
        actions.decided_by,
        coalesce(actions.is_example, false) as is_example,
        date_trunc('month', actions.taken_on)::date as change_month_on
    from {{ ref('actions') }} as actions
    left join {{ ref('dim_organisations') }} as organisations
        on actions.organisation_slug = organisations.organisation_slug
    -- Of organisations that the warehouse does not know there is nothing to show, of unfinished rows neither.
    where
        (organisations.organisation_slug is not null or actions.organisation_slug = 'all')
        and num_nulls(actions.action_slug, actions.service_slug, actions.measure_slug, actions.taken_on) = 0
),

-- Actions beside which another one was taken, at the same place and within the window. What was never
-- done, an example, changed nothing that people did.
neighbours as (
    select distinct
        actions.action_slug,
        actions.organisation_slug,
        actions.service_slug,
        actions.is_example,
        actions.change_month_on
    from actions
    inner join actions as other_actions
        on
            actions.action_slug <> other_actions.action_slug
            and (actions.is_example or not other_actions.is_example)
            and (
                actions.organisation_slug = other_actions.organisation_slug
                or 'all' in (actions.organisation_slug, other_actions.organisation_slug)
            )
            and (
                actions.service_slug = other_actions.service_slug
                or 'all' in (actions.service_slug, other_actions.service_slug)
            )
            and other_actions.change_month_on between
            actions.change_month_on - {{ var('action_window_months') }} * interval '1 month'
            and actions.change_month_on + {{ var('action_window_months') }} * interval '1 month'
),

points as (
    select * from {{ ref('int_action_points') }}
),

-- Each side's months as one period. The squares about the mean of all are those within months, by each
-- month's own interval, and those between months: what the formula for one period would have been given.
sides as (
    select
        series_key,
        is_after,
        bool_and(is_proportion) as is_proportion,
        count(*) as month_count,
        sum(numerator_count)::bigint as numerator_sum,
        sum(denominator_count)::bigint as denominator_sum,
        sum(observation_count) as observation_sum,
        sum(observation_count * value) / nullif(sum(observation_count), 0) as mean_value,
        case
            when bool_and(spread is not null)
                then
                    sum(
                        (observation_count - 1)
                        * observation_count
                        * (spread / {{ t_quantile('(observation_count - 1)') }}) ^ 2
                    )
                    + sum(observation_count * value ^ 2)
                    - sum(observation_count * value) ^ 2 / nullif(sum(observation_count), 0)
        end as square_sum,
        array_agg(extract(month from point_on)::integer order by extract(month from point_on))
            as calendar_months
    from points
    where is_summed
    group by series_key, is_after
),

spread_sides as (
    select
        sides.*,
        {{ t_quantile('(sides.observation_sum - 1)') }} * sqrt(
            greatest(sides.square_sum, 0)
            / nullif(sides.observation_sum - 1, 0)
            / nullif(sides.observation_sum, 0)
        ) as spread
    from sides
),

estimates as (
    select
        series_key,
        is_after,
        month_count,
        numerator_sum,
        denominator_sum,
        calendar_months,
        -- As in rpt_measure_gaps: few answers, or answers that are all alike, say little of a mean's spread.
        is_proportion
        or (observation_sum >= {{ var('gap_min_responses') }} and spread > 0) as is_spread_known,
        case
            when is_proportion then numerator_sum::numeric / nullif(denominator_sum, 0) else mean_value
        end as value,
        case
            when is_proportion then {{ wilson_bound('numerator_sum', 'denominator_sum', 'low') }}
            else mean_value - spread
        end as low,
        case
            when is_proportion then {{ wilson_bound('numerator_sum', 'denominator_sum', 'high') }}
            else mean_value + spread
        end as high
    from spread_sides
),

before as (
    select * from estimates
    where not is_after
),

after as (
    select * from estimates
    where is_after
),

-- The chart of the series, drawn anew at the action.
charted as (
    {{ xmr_chart(
        points=ref('int_action_points'),
        breaks=['is_after', 'rebase_on'],
        max_gap_months=var('chart_max_gap_months'),
        min_points=var('chart_min_points'),
        is_screened=var('chart_is_screened'),
    ) }}
),

sided as (
    select
        charted.*,
        points.is_after
    from charted
    inner join points on charted.series_key = points.series_key and charted.point_on = points.point_on
),

last_segments as (
    select distinct on (series_key, is_after)
        series_key,
        is_after,
        segment_first_on,
        is_provisional,
        mean_moving_range,
        centre,
        lower_limit,
        upper_limit,
        lower_near_limit,
        upper_near_limit
    from sided
    order by series_key asc, is_after asc, point_on desc
),

before_charts as (
    select * from last_segments
    where not is_after
),

after_charts as (
    select * from last_segments
    where is_after
),

-- The months after, measured by the chart of those before.
after_on_before as (
    select
        sided.series_key,
        sided.segment_first_on,
        sided.point_on,
        sided.point_number,
        sided.value,
        before_charts.centre::numeric(24, 12) as centre,
        before_charts.mean_moving_range,
        before_charts.lower_limit,
        before_charts.upper_limit,
        before_charts.lower_near_limit,
        before_charts.upper_near_limit
    from sided
    inner join before_charts on sided.series_key = before_charts.series_key
    where sided.is_after and not before_charts.is_provisional
),

raised as (
    {{ xmr_signals(charted='after_on_before', rule_set=var('signal_rules')) }}
),

density as (
    select
        series_key,
        measure_version,
        coalesce(
            least(avg(numerator_count), avg(denominator_count - numerator_count))
            < {{ var('chart_min_mean_count') }},
            false
        ) as is_sparse
    from points
    group by series_key, measure_version
),

-- Of all signals a shift alone says that it stayed so: single months leave the limits of twelve months in
-- every sixth stable series. Shifts to both sides say nothing.
shifts as (
    select
        raised.series_key,
        min(raised.signal_direction) as signal_direction,
        min(raised.run_first_on) as signal_first_on,
        max(raised.run_last_on) as signal_last_on
    from raised
    inner join density on raised.series_key = density.series_key
    where raised.signal_kind = 'shift' and not density.is_sparse
    group by raised.series_key
    having count(distinct raised.signal_direction) = 1
),

series as (
    select distinct
        series_key,
        action_slug,
        measure_slug,
        theme_slug,
        topic_slug,
        organisation_slug,
        service_slug
    from points
),

-- What better means and the unit are the same in all versions of a measure.
measures as (
    select
        measure_slug,
        min(measure_label) as measure_label,
        min(better_direction) as better_direction,
        min(unit) as unit
    from {{ ref('dim_measures') }}
    group by measure_slug
),

compared as (
    select
        actions.action_slug,
        actions.organisation_slug,
        actions.service_slug,
        actions.measure_slug,
        actions.theme_slug,
        actions.topic_slug,
        actions.taken_on,
        actions.change_month_on,
        actions.what_patients_said,
        actions.what_was_done,
        actions.decided_by,
        actions.is_example,
        measures.measure_label,
        measures.better_direction,
        measures.unit,
        density.measure_version,
        coalesce(density.is_sparse, false) as is_sparse,
        coalesce(before.month_count, 0) as before_month_count,
        before.numerator_sum as before_numerator_count,
        before.denominator_sum as before_denominator_count,
        before.value as before_value,
        before.low as before_low,
        before.high as before_high,
        coalesce(after.month_count, 0) as after_month_count,
        after.numerator_sum as after_numerator_count,
        after.denominator_sum as after_denominator_count,
        after.value as after_value,
        after.low as after_low,
        after.high as after_high,
        coalesce(before.calendar_months <> after.calendar_months, false) as has_other_months,
        coalesce(
            least(before.month_count, after.month_count) >= {{ var('action_min_months') }}, false
        ) as is_comparable,
        coalesce(before.is_spread_known and after.is_spread_known, false) as is_spread_known,
        after.value - before.value as difference,
        {{ difference_bound('before', 'after', 'low') }} as difference_low,
        {{ difference_bound('before', 'after', 'high') }} as difference_high,
        before_charts.centre as before_centre,
        before_charts.lower_limit as before_lower_limit,
        before_charts.upper_limit as before_upper_limit,
        before_charts.is_provisional as is_before_provisional,
        after_charts.centre as after_centre,
        after_charts.lower_limit as after_lower_limit,
        after_charts.upper_limit as after_upper_limit,
        after_charts.is_provisional as is_after_provisional,
        shifts.signal_direction,
        shifts.signal_first_on,
        shifts.signal_last_on,
        neighbours.action_slug is not null as has_other_actions
    from actions
    left join measures on actions.measure_slug = measures.measure_slug
    left join series
        on
            actions.action_slug = series.action_slug
            and actions.measure_slug = series.measure_slug
            and actions.organisation_slug = series.organisation_slug
            and actions.service_slug = series.service_slug
            and actions.theme_slug is not distinct from series.theme_slug
            and actions.topic_slug is not distinct from series.topic_slug
    left join density on series.series_key = density.series_key
    left join before on series.series_key = before.series_key
    left join after on series.series_key = after.series_key
    left join before_charts on series.series_key = before_charts.series_key
    left join after_charts on series.series_key = after_charts.series_key
    left join shifts on series.series_key = shifts.series_key
    left join neighbours
        on
            actions.action_slug = neighbours.action_slug
            and actions.organisation_slug = neighbours.organisation_slug
            and actions.service_slug = neighbours.service_slug
            and actions.is_example = neighbours.is_example
            and actions.change_month_on = neighbours.change_month_on
),

directed as (
    select
        compared.*,
        case
            when not (compared.is_comparable and compared.is_spread_known) then 0
            when compared.difference_low > 0 then 1
            when compared.difference_high < 0 then -1
            else 0
        end as interval_way,
        case
            when not compared.is_comparable then 0
            when compared.signal_direction = 'up' then 1
            when compared.signal_direction = 'down' then -1
            else 0
        end as signal_way,
        case compared.unit when 'share 0-1' then 0 when 'share -1 to 1' then -1 end as lowest,
        case when compared.unit <> 'score' then 1 end as highest
    from compared
)

select
    action_slug,
    organisation_slug,
    service_slug,
    measure_slug,
    theme_slug,
    topic_slug,
    taken_on,
    what_patients_said,
    what_was_done,
    decided_by,
    is_example,
    measure_label,
    measure_version,
    unit,
    better_direction,
    (change_month_on - {{ var('action_window_months') }} * interval '1 month')::date as before_first_on,
    before_month_count,
    {{ var('action_window_months') }} - before_month_count as before_left_out_count,
    before_numerator_count,
    before_denominator_count,
    before_value::numeric(14, 6) as before_value,
    case when before_low < lowest then lowest else before_low end::numeric(14, 6) as before_interval_low,
    case when before_high > highest then highest else before_high end::numeric(14, 6) as before_interval_high,
    (change_month_on + ({{ var('action_window_months') }} + 1) * interval '1 month' - interval '1 day')::date
        as after_last_on,
    after_month_count,
    {{ var('action_window_months') }} - after_month_count as after_left_out_count,
    after_numerator_count,
    after_denominator_count,
    after_value::numeric(14, 6) as after_value,
    case when after_low < lowest then lowest else after_low end::numeric(14, 6) as after_interval_low,
    case when after_high > highest then highest else after_high end::numeric(14, 6) as after_interval_high,
    case when is_comparable then difference end::numeric(14, 6) as difference,
    case when is_comparable and is_spread_known then difference_low end::numeric(14, 6) as difference_low,
    case when is_comparable and is_spread_known then difference_high end::numeric(14, 6) as difference_high,
    before_centre::numeric(14, 6) as before_centre,
    before_lower_limit::numeric(14, 6) as before_lower_limit,
    before_upper_limit::numeric(14, 6) as before_upper_limit,
    after_centre::numeric(14, 6) as after_centre,
    after_lower_limit::numeric(14, 6) as after_lower_limit,
    after_upper_limit::numeric(14, 6) as after_upper_limit,
    is_before_provisional,
    is_after_provisional,
    is_sparse,
    signal_direction,
    signal_first_on,
    signal_last_on,
    case
        when not is_comparable then 'too_little_data'
        when interval_way + signal_way = 0 and not is_spread_known then 'too_little_data'
        when interval_way + signal_way = 0 then 'no_clear_difference'
        when better_direction = 'none' and interval_way + signal_way > 0 then 'changed_up'
        when better_direction = 'none' then 'changed_down'
        when (interval_way + signal_way > 0) = (better_direction = 'higher') then 'improvement'
        else 'worsening'
    end as effect_class,
    case
        when interval_way + signal_way = 0 then null
        when interval_way = signal_way then 'both'
        when interval_way <> 0 then 'interval'
        else 'signal'
    end as effect_basis,
    concat_ws(
        ', ',
        'no_comparison_group',
        case when has_other_months then 'seasons_differ' end,
        case when has_other_actions then 'other_actions' end
    ) as caveats
from directed
