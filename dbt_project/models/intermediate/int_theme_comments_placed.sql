-- Each assigned comment with its theme and, where it has one, the subtheme within it.
with comments as (
    select
        comment_id,
        text_sha256,
        theme_set_id,
        theme_slug,
        submitted_on
    from {{ ref('int_comments_scored') }}
    where theme_state = 'assigned'
)

select
    comments.comment_id,
    comments.theme_slug,
    subthemes.surviving_theme_slug as subtheme_slug,
    comments.submitted_on
from comments
left join {{ ref('stg_analysis__theme_assignments') }} as assignments
    on
        comments.text_sha256 = assignments.text_sha256
        and comments.theme_set_id = assignments.theme_set_id
-- A refit may move a subtheme away from the theme of the one it was merged into: it is then shown in neither.
left join {{ ref('int_themes_resolved') }} as subthemes
    on
        assignments.subtheme_slug = subthemes.theme_slug
        and comments.theme_slug = subthemes.surviving_parent_slug
