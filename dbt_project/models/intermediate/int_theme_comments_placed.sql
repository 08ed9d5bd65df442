-- Each assigned comment in its theme and, where it has one, in the subtheme within it.
select
    comments.comment_id,
    placed.theme_slug,
    comments.submitted_on
from {{ ref('int_comments_scored') }} as comments
cross join lateral unnest(array[comments.theme_slug, comments.subtheme_slug]) as placed (theme_slug)
where comments.theme_state = 'assigned' and placed.theme_slug is not null
