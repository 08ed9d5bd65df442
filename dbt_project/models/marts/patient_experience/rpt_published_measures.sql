{{ config(indexes=[{'columns': ['measure_slug', 'organisation_slug', 'period_first_on']}]) }}

with figures as (
    select * from {{ ref('fct_published_figures') }}
),

-- Percentages, scores and stars are measures; counts are what some of them are made of.
mapped as (
    select
        figures.*,
        mapped_to.instrument_slug,
        mapped_to.score_slug,
        mapped_to.box,
        mapped_to.measure_slug as own_measure_slug,
        mapped_to.numerator_slugs,
        mapped_to.denominator_slug,
        mapped_to.is_adjusted,
        versions.instrument_version
    from figures
    left join {{ ref('published_measures') }} as mapped_to
        on figures.measure_slug = mapped_to.published_measure_slug
    -- A period that reaches over a change of questionnaire is of neither version.
    left join {{ ref('instrument_versions') }} as versions
        on
            mapped_to.instrument_slug = versions.instrument_slug
            and figures.period_first_on >= versions.effective_from
            and figures.period_last_on <= versions.effective_to
    where figures.figure_unit is distinct from 'count'
),

-- A sum with a count that was withheld is not known.
counted as (
    select
        mapped.figure_id,
        sum(figures.figure_value) filter (where figures.measure_slug <> mapped.denominator_slug)
            as numerator_sum,
        sum(figures.figure_value) filter (where figures.measure_slug = mapped.denominator_slug)
            as denominator_sum
    from mapped
    inner join figures
        on
            mapped.source_slug = figures.source_slug
            and mapped.source_record_ref = figures.source_record_ref
            and figures.measure_slug
            = any(string_to_array(mapped.numerator_slugs, ' ') || mapped.denominator_slug)
    where mapped.figure_state = 'published'
    group by mapped.figure_id, mapped.numerator_slugs
    having
        count(figures.figure_value) = cardinality(string_to_array(mapped.numerator_slugs, ' ')) + 1
        and bool_and(figures.figure_unit = 'count')
        and sum(figures.figure_value) filter (where figures.measure_slug = mapped.denominator_slug) > 0
),

valued as (
    select
        mapped.*,
        counted.numerator_sum::bigint as numerator_count,
        counted.denominator_sum::bigint as denominator_count,
        case mapped.figure_unit when 'percent' then 'share 0-1' else mapped.figure_unit end as unit,
        case mapped.figure_unit
            when 'percent' then mapped.figure_value / 100 else mapped.figure_value
        end::numeric as published_value
    from mapped
    left join counted on mapped.figure_id = counted.figure_id
),

-- The publisher's composites, made again from the items that it published for the same place and period.
composed as (
    select
        whole.figure_id,
        avg(items.published_value) as recomputed_value,
        count(*) as recomputed_item_count
    from valued as whole
    inner join {{ ref('composites') }} as members
        on
            whole.score_slug = members.composite_slug
            and whole.instrument_version = members.instrument_version
    left join valued as items
        on
            members.member_score_slug = items.score_slug
            and whole.instrument_version = items.instrument_version
            and whole.box = items.box
            and whole.source_slug = items.source_slug
            and whole.organisation_slug = items.organisation_slug
            and coalesce(whole.site_slug, '') = coalesce(items.site_slug, '')
            and coalesce(whole.service_slug, '') = coalesce(items.service_slug, '')
            and whole.period_first_on = items.period_first_on
            and whole.period_last_on = items.period_last_on
            and whole.is_total = items.is_total
    where whole.published_value is not null and whole.box in ('top', 'middle', 'bottom')
    group by whole.figure_id
    having bool_and(items.published_value is not null)
),

stated as (
    select
        valued.*,
        case
            when valued.figure_state = 'published' then 'value'
            when valued.figure_state = 'suppressed' then 'suppressed'
            else 'not_applicable'
        end as cell_state,
        coalesce(valued.numerator_count::numeric / valued.denominator_count, valued.published_value)
            as measure_value,
        composed.recomputed_value,
        composed.recomputed_item_count
    from valued
    left join composed on valued.figure_id = composed.figure_id
)

select
    figure_id,
    source_slug,
    source_record_ref,
    measure_slug as published_measure_slug,
    own_measure_slug as measure_slug,
    instrument_version as measure_version,
    score_slug,
    box,
    case
        when date_trunc('month', period_first_on) = date_trunc('month', period_last_on) then 'month'
        else 'other'
    end as period_kind,
    period_first_on,
    period_last_on,
    organisation_slug,
    site_slug,
    coalesce(service_slug, 'all') as service_slug,
    'all' as stratum_attribute,
    'all' as stratum,
    is_total,
    numerator_count,
    denominator_count,
    respondent_count as response_count,
    case
        when respondent_count is not null then 'exact'
        when respondent_band is not null then 'band'
        else 'not_given'
    end as response_count_state,
    respondent_band as response_band,
    measure_value::numeric(14, 6) as measure_value,
    published_value::numeric(14, 6) as published_value,
    unit,
    is_adjusted,
    {{ wilson_bound('numerator_count', 'denominator_count', 'low') }}::numeric(14, 6) as interval_low,
    {{ wilson_bound('numerator_count', 'denominator_count', 'high') }}::numeric(14, 6) as interval_high,
    cell_state,
    figure_state,
    recomputed_item_count,
    recomputed_value::numeric(14, 6) as recomputed_value,
    (published_value - recomputed_value)::numeric(14, 6) as recomputed_difference,
    {{ footnote_codes([
        "source_metadata ->> case box when 'stars' then 'star_rating_footnote' else 'footnote' end",
        "source_metadata ->> 'completed_surveys_footnote'",
    ]) }} as footnote_codes,
    delivery_id
from stated
