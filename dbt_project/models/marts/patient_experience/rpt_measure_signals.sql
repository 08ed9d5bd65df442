with signals as (
    select
        series_key,
        point_on,
        signal_kind,
        signal_direction,
        run_first_on,
        run_last_on,
        row_number() over (
            partition by series_key, point_on
            order by signal_rank asc, run_last_on desc, run_first_on asc
        ) as place
    from {{ ref('int_signals_raised') }}
),

all_kinds as (
    select
        series_key,
        point_on,
        array_agg(distinct signal_kind order by signal_kind) as signal_kinds
    from {{ ref('int_signals_raised') }}
    group by series_key, point_on
),

points as (
    select
        series.series_key,
        series.measure_slug,
        series.theme_slug,
        series.topic_slug,
        series.organisation_slug,
        series.service_slug,
        series.point_on,
        series.measure_version,
        series.series_label,
        series.better_direction,
        series.numerator_count,
        series.denominator_count,
        series.value,
        charted.segment_first_on,
        charted.centre,
        charted.lower_limit,
        charted.upper_limit,
        charted.lower_near_limit,
        charted.upper_near_limit,
        charted.moving_range,
        charted.point_count,
        charted.is_provisional,
        charted.is_sparse,
        signals.signal_kind,
        signals.signal_direction,
        signals.run_first_on,
        signals.run_last_on,
        all_kinds.signal_kinds,
        -- A theme or topic that more people speak of than its chart lets one expect.
        coalesce(series.theme_slug, series.topic_slug) is not null
        and coalesce(signals.signal_kind = 'outside_limits' and signals.signal_direction = 'up', false)
            as is_emerging,
        series.numerator_count >= series.min_responses as has_enough_comments,
        min(series.point_on) filter (where series.numerator_count > 0) over (
            partition by series.series_key
        ) as first_seen_on
    from {{ ref('int_measure_series') }} as series
    inner join {{ ref('int_measures_charted') }} as charted
        on series.series_key = charted.series_key and series.point_on = charted.point_on
    left join signals
        on
            series.series_key = signals.series_key
            and series.point_on = signals.point_on
            and signals.place = 1
    left join all_kinds
        on series.series_key = all_kinds.series_key and series.point_on = all_kinds.point_on
)

select
    points.measure_slug,
    points.theme_slug,
    points.topic_slug,
    points.organisation_slug,
    points.service_slug,
    points.point_on as month_start_on,
    points.series_label,
    points.measure_version,
    points.numerator_count,
    points.denominator_count,
    round(points.value, 6)::numeric(14, 6) as value,
    points.segment_first_on,
    points.point_count,
    points.is_provisional,
    points.is_sparse,
    round(points.centre, 6)::numeric(14, 6) as centre,
    round(points.lower_limit, 6)::numeric(14, 6) as lower_limit,
    round(points.upper_limit, 6)::numeric(14, 6) as upper_limit,
    round(points.lower_near_limit, 6)::numeric(14, 6) as lower_near_limit,
    round(points.upper_near_limit, 6)::numeric(14, 6) as upper_near_limit,
    round(points.moving_range, 6)::numeric(14, 6) as moving_range,
    {{ text_literal(var('signal_rules')) }} as rule_set,
    points.signal_kind,
    points.signal_direction,
    case
        when points.signal_kind is null then null
        when points.better_direction = 'higher' and points.signal_direction = 'up' then 'improvement'
        when points.better_direction = 'higher' and points.signal_direction = 'down' then 'concern'
        when points.better_direction = 'lower' and points.signal_direction = 'down' then 'improvement'
        when points.better_direction = 'lower' and points.signal_direction = 'up' then 'concern'
        else 'neither'
    end as signal_meaning,
    points.run_first_on as signal_first_on,
    points.run_last_on as signal_last_on,
    nullif(array_to_string(array_remove(points.signal_kinds, points.signal_kind), ', '), '')
        as other_signal_kinds,
    points.is_emerging,
    case when points.is_emerging then points.first_seen_on end as first_seen_on,
    exemplars.comment_ids as exemplar_comment_ids
from points
left join {{ ref('int_exemplars_ranked') }} as exemplars
    on
        points.is_emerging
        and points.has_enough_comments
        and exemplars.subject_kind = case when points.theme_slug is null then 'topic' else 'theme' end
        and coalesce(points.theme_slug, points.topic_slug) = exemplars.subject
        and points.point_on = exemplars.period_first_on
        and points.organisation_slug = exemplars.organisation_slug
        and exemplars.service_slug = 'all'
