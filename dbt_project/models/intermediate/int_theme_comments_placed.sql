-- Each assigned comment in its theme and, where it has one, in the subtheme within it.
select
    scored.comment_id,
    placed.slug as theme_slug,
    scored.submitted_on
from {{ ref('int_comments_scored') }} as scored
cross join lateral unnest(array[scored.theme_slug, scored.subtheme_slug]) as placed (slug)
where scored.theme_state = 'assigned' and placed.slug is not null
