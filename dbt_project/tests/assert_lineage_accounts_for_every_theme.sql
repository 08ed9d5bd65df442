{{ config(
    meta={
        'check_id': 'FB-DBT-055',
        'title': 'Every theme of the current set and of the one before it has its lineage',
        'severity': 'warning',
        'dimension': 'completeness',
        'owner': 'analytics-engineering',
        'why': 'A theme that appears or ends without a word breaks every comparison over time that uses it.',
    }
) }}

-- Sets that were fitted before lineage was kept have none.
with current_set as (
    select theme_sets.*
    from {{ ref('stg_analysis__theme_sets') }} as theme_sets
    where
        theme_sets.is_current
        and exists (
            select 1 from {{ ref('fct_theme_lineage') }} as lineages
            where lineages.theme_set_id = theme_sets.theme_set_id
        )
)

select set_members.theme_slug
from {{ ref('stg_analysis__theme_set_members') }} as set_members
inner join current_set on set_members.theme_set_id = current_set.theme_set_id
left join {{ ref('fct_theme_lineage') }} as lineages
    on set_members.theme_slug = lineages.theme_slug and lineages.is_current
where lineages.theme_slug is null
union all
select set_members.theme_slug
from {{ ref('stg_analysis__theme_set_members') }} as set_members
inner join current_set on set_members.theme_set_id = current_set.previous_theme_set_id
left join {{ ref('fct_theme_lineage') }} as lineages
    on
        set_members.theme_slug = lineages.previous_theme_slug
        and lineages.is_current
        and lineages.relation in ('kept', 'merged', 'retired')
group by set_members.theme_slug
having count(lineages.previous_theme_slug) <> 1
