{#-
  The XmR chart of each series of `points`: where its centre and limits lie, and how far each point is from the last.

  `points` holds one row per point: series_key, point_on, value, and the columns named in `breaks`. No line
  crosses a break, which is where
  - a column of `breaks` changes, such as the day from which people had the chart drawn anew;
  - more than `max_gap_months` months without a value lie between two points. Fewer are skipped: the moving
    range then spans the gap. A suppressed month is such a month, its value is not known here.

  Between two breaks lies a segment: its centre is the mean of its points, its limits lie 2.66 mean moving ranges
  away, the near limits 1.7733 (two thirds). Moving ranges of 3.267 times their mean or more are left out
  once (`is_screened`), unless that leaves no variation at all: eleven months of 0 and one of 0.2 would else have
  every month outside limits of no width. A segment of one point has a centre and no limits.

  The limits of a share are shown as they are computed, beyond 0 or 1 too. A point cannot leave such a limit: on that
  side the chart can only signal by runs. Limits cut off at 0 or 1 would look as if a point on them were remarkable.

  With `baseline_points` only the first so many points of a segment make its centre and limits, which then go on: a
  change that came after them is measured by what was before, where else it would move the centre towards itself.

  Constants, screening and baseline: NHS England, Making Data Count; as in NHSRplotthedots (ptd_spc_standard,
  fix_after_n_points), which screens without the exception.
-#}
{% macro xmr_chart(points, breaks, max_gap_months, min_points, is_screened, baseline_points=none) -%}
{%- set in_baseline = 'true' if baseline_points is none else 'point_number <= ' ~ baseline_points -%}
with points as (
    select
        series_key,
        point_on,
        value,
        case
            when lag(point_on) over series_points is null then 1
            {% for column in breaks -%}
            when ({{ column }} is not distinct from lag({{ column }}) over series_points) is false then 1
            {% endfor -%}
            when
                (
                    extract(year from point_on) * 12 + extract(month from point_on)
                    - extract(year from lag(point_on) over series_points) * 12
                    - extract(month from lag(point_on) over series_points)
                ) > {{ max_gap_months }} + 1
                then 1
            else 0
        end as begins_segment
    from {{ points }}
    window series_points as (partition by series_key order by point_on)
),

segments as (
    select
        series_key,
        point_on,
        value,
        sum(begins_segment) over (partition by series_key order by point_on) as segment_number
    from points
),

ranges as (
    select
        *,
        abs(value - lag(value) over segment_points) as moving_range,
        row_number() over segment_points as point_number
    from segments
    window segment_points as (partition by series_key, segment_number order by point_on)
),

centred as (
    select
        *,
        min(point_on) over whole_segment as segment_first_on,
        count(*) over whole_segment as point_count,
        avg(value) filter (where {{ in_baseline }}) over whole_segment as centre,
        avg(moving_range) filter (where {{ in_baseline }}) over whole_segment as mean_of_all_ranges
    from ranges
    window whole_segment as (partition by series_key, segment_number)
),

screened as (
    select
        *,
        {% if is_screened -%}
        coalesce(
            nullif(
                avg(moving_range)
                    filter (where {{ in_baseline }} and moving_range < 3.267 * mean_of_all_ranges)
                    over (partition by series_key, segment_number),
                0
            ),
            mean_of_all_ranges
        ) as mean_moving_range
        {% else -%}
        mean_of_all_ranges as mean_moving_range
        {% endif -%}
    from centred
)

select
    series_key,
    point_on,
    value,
    segment_first_on,
    point_number,
    point_count,
    {{ 'point_count' if baseline_points is none else 'least(point_count, ' ~ baseline_points ~ ')' }}
    < {{ min_points }} as is_provisional,
    moving_range,
    mean_moving_range,
    centre,
    centre - 2.66 * mean_moving_range as lower_limit,
    centre + 2.66 * mean_moving_range as upper_limit,
    centre - 1.7733 * mean_moving_range as lower_near_limit,
    centre + 1.7733 * mean_moving_range as upper_near_limit
from screened
{%- endmacro %}


{#-
  The signals of charted points: one row per point and signal of which it is part, with the run's first and last point.
  `charted` holds what xmr_chart gives; `rule_set` is 'nhs' or 'scottish'.

  | kind           | nhs                                       | scottish                                            |
  |----------------|-------------------------------------------|-----------------------------------------------------|
  | outside_limits | 1. beyond a limit                         | 1. "outlier"                                        |
  | trend          | 2. 7 points strictly rising or falling    | 3. 6 points                                         |
  | two_of_three   | 3. 2 of 3 beyond the near limit, all three| 4. 2 of 3 in the outer third of one side, the other |
  |                | on one side of the mean                   | point anywhere; a point beyond the limit is none    |
  | shift          | 4. 7 points on one side of the mean       | 2. 8 points                                         |
  | inner_third    | no rule                                   | 5. 15 points in the inner third                     |

  The number is the rank: of several signals the first is the point's own.

  NHS: Making Data Count ("Plot the dots"); order and runs as in measures.md of this project and NHSRplotthedots
  (ptd_calculate_point_type): a point on the mean breaks a run; of two of three only those beyond the near limit are
  marked. One difference: NHSRplotthedots counts no point that is outside the limits among the two.

  Scottish: Public Health Scotland's five rules, which go back to ISD Scotland's "Statistical Process Control Tutorial
  Guide". Read in the code and text of its dashboard (github.com/Public-Health-Scotland/covid-wider-impacts,
  shiny_app/server/preterm_tab.R: the rules in words; data_prep/perinatal_data_prep.R: how they are computed). Confirmed
  there: 8, 6 (5 steps), 15; "between the control and warning limits"; strict comparisons, so that a point
  on the centre line breaks a shift, and an equal point a trend. Their code tests the outer third of the upper side only and marks
  the third point too; here both sides count and only points of the outer third are marked. Not confirmed: the guide itself, and
  whether Healthcare Improvement Scotland skips points on the centre line, as is done on run charts; the order of rank is that of
  their list.
-#}
{% macro xmr_signals(charted, rule_set) -%}
{%- set all_rules = {
    'nhs': {'outside_limits': 1, 'trend': 2, 'two_of_three': 3, 'shift': 4, 'shift_points': 7, 'trend_points': 7},
    'scottish': {
        'outside_limits': 1, 'shift': 2, 'trend': 3, 'two_of_three': 4, 'inner_third': 5, 'shift_points': 8,
        'trend_points': 6, 'inner_points': 15,
    },
} -%}
{%- if execute and rule_set not in all_rules -%}
    {{ exceptions.raise_compiler_error("signal_rules is '" ~ rule_set ~ "', give 'nhs' or 'scottish'") }}
{%- endif -%}
{%- set rules = all_rules.get(rule_set, all_rules['nhs']) -%}
with placed as (
    select
        series_key,
        segment_first_on,
        point_on,
        point_number,
        sign(value - centre) as side,
        sign(value - lag(value) over segment_points) as step,
        case when value > upper_limit then 1 when value < lower_limit then -1 else 0 end as outside_side,
        case when value > upper_near_limit then 1 when value < lower_near_limit then -1 else 0 end as beyond_side,
        coalesce(abs(value - centre) < 2.66 / 3 * mean_moving_range, false) as is_inner
    from {{ charted }}
    window segment_points as (partition by series_key, segment_first_on order by point_on)
),

zoned as (
    select
        *,
        {% if 'inner_third' in rules -%}
        case when outside_side = 0 then beyond_side else 0 end as near_side
        {% else -%}
        beyond_side as near_side
        {% endif -%}
    from placed
),

changes as (
    select
        *,
        case when side = lag(side) over segment_points then 0 else 1 end as begins_side,
        case when step = lag(step) over segment_points then 0 else 1 end as begins_step,
        case when is_inner = lag(is_inner) over segment_points then 0 else 1 end as begins_inner,
        -- The side to which the three points from here on signal.
        case
            {% for way in (1, -1) -%}
            when
                (near_side = {{ way }})::int
                + (lead(near_side, 1) over segment_points = {{ way }})::int
                + (lead(near_side, 2) over segment_points = {{ way }})::int >= 2
                {% if 'inner_third' not in rules -%}
                and side = {{ way }}
                and lead(side, 1) over segment_points = {{ way }}
                and lead(side, 2) over segment_points = {{ way }}
                {% endif -%}
                then {{ way }}
            {% endfor -%}
            else 0
        end as window_side
    from zoned
    window segment_points as (partition by series_key, segment_first_on order by point_on)
),

runs as (
    select
        *,
        sum(begins_side) over segment_points as side_run,
        sum(begins_step) over segment_points as step_run,
        sum(begins_inner) over segment_points as inner_run,
        lag(point_on) over segment_points as previous_on,
        lag(point_on, 2) over segment_points as second_previous_on,
        lead(point_on) over segment_points as next_on,
        lead(point_on, 2) over segment_points as second_next_on,
        lag(window_side) over segment_points as previous_window_side,
        lag(window_side, 2) over segment_points as second_previous_window_side
    from changes
    window segment_points as (partition by series_key, segment_first_on order by point_on)
),

outside_signals as (
    select
        series_key,
        point_on,
        'outside_limits' as signal_kind,
        outside_side as side,
        point_on as run_first_on,
        point_on as run_last_on
    from runs
    where outside_side <> 0
),

side_runs as (
    select
        series_key,
        point_on,
        'shift' as signal_kind,
        side,
        min(point_on) over whole_run as run_first_on,
        max(point_on) over whole_run as run_last_on,
        count(*) over whole_run as run_points
    from runs
    window whole_run as (partition by series_key, segment_first_on, side_run)
),

-- A run of steps begins one point earlier than its first step.
step_runs as (
    select
        series_key,
        segment_first_on,
        'trend' as signal_kind,
        min(step) as side,
        min(previous_on) as run_first_on,
        max(point_on) as run_last_on
    from runs
    where step <> 0
    group by series_key, segment_first_on, step_run
    having count(*) >= {{ rules['trend_points'] }} - 1
),

trend_signals as (
    select
        runs.series_key,
        runs.point_on,
        step_runs.signal_kind,
        step_runs.side,
        step_runs.run_first_on,
        step_runs.run_last_on
    from step_runs
    inner join runs
        on
            step_runs.series_key = runs.series_key
            and step_runs.segment_first_on = runs.segment_first_on
            and runs.point_on between step_runs.run_first_on and step_runs.run_last_on
),

near_signals as (
    select
        series_key,
        point_on,
        'two_of_three' as signal_kind,
        near_side as side,
        case near_side
            when second_previous_window_side then second_previous_on
            when previous_window_side then previous_on
            else point_on
        end as run_first_on,
        case near_side
            when window_side then second_next_on
            when previous_window_side then next_on
            else point_on
        end as run_last_on
    from runs
    where near_side <> 0 and near_side in (window_side, previous_window_side, second_previous_window_side)
),

{% if 'inner_third' in rules -%}
inner_runs as (
    select
        series_key,
        point_on,
        is_inner,
        'inner_third' as signal_kind,
        0 as side,
        min(point_on) over whole_run as run_first_on,
        max(point_on) over whole_run as run_last_on,
        count(*) over whole_run as run_points
    from runs
    window whole_run as (partition by series_key, segment_first_on, inner_run)
),

{% endif -%}
signals as (
    select series_key, point_on, signal_kind, side, run_first_on, run_last_on from outside_signals
    union all
    select series_key, point_on, signal_kind, side, run_first_on, run_last_on from side_runs
    where side <> 0 and run_points >= {{ rules['shift_points'] }}
    union all
    select series_key, point_on, signal_kind, side, run_first_on, run_last_on from trend_signals
    union all
    select series_key, point_on, signal_kind, side, run_first_on, run_last_on from near_signals
    {% if 'inner_third' in rules -%}
    union all
    select series_key, point_on, signal_kind, side, run_first_on, run_last_on from inner_runs
    where is_inner and run_points >= {{ rules['inner_points'] }}
    {% endif -%}
)

select
    series_key,
    point_on,
    signal_kind,
    case signal_kind
        {% for kind in ('outside_limits', 'trend', 'two_of_three', 'shift', 'inner_third') if kind in rules -%}
        when '{{ kind }}' then {{ rules[kind] }}
        {% endfor -%}
    end as signal_rank,
    case when side > 0 then 'up' when side < 0 then 'down' end as signal_direction,
    run_first_on,
    run_last_on
from signals
{%- endmacro %}
