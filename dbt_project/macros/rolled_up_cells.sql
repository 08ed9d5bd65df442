{#-
  Counts per month and service summed up to the organisation ('all' as service) and to the month ('all'
  twice). Every service has a cell in every month that has any, so that a month without answers is a 0.
  `counted` is a CTE with month_start_on, organisation_slug, service_slug and the columns `counts`.
-#}
{% macro rolled_up_cells(counted, counts) -%}
months as (
    select distinct month_start_on from {{ counted }}
),

services as (
    select distinct
        organisation_slug,
        service_slug
    from {{ counted }}
),

filled as (
    select
        months.month_start_on,
        services.organisation_slug,
        services.service_slug,
        {% for count in counts -%}
        coalesce({{ counted }}.{{ count }}, 0) as {{ count }}{{ ',' if not loop.last }}
        {% endfor -%}
    from months
    cross join services
    left join {{ counted }}
        on
            coalesce(months.month_start_on, '-infinity'::date)
            = coalesce({{ counted }}.month_start_on, '-infinity'::date)
            and services.organisation_slug = {{ counted }}.organisation_slug
            and services.service_slug = {{ counted }}.service_slug
),

rolled_up as (
    select
        month_start_on,
        case when grouping(organisation_slug) = 1 then 'all' else organisation_slug end as organisation_slug,
        case when grouping(service_slug) = 1 then 'all' else service_slug end as service_slug,
        {% for count in counts -%}
        sum({{ count }})::bigint as {{ count }}{{ ',' if not loop.last }}
        {% endfor -%}
    from filled
    group by grouping sets (
        (month_start_on, organisation_slug, service_slug),
        (month_start_on, organisation_slug),
        (month_start_on)
    )
)
{%- endmacro %}
