-- Statements of themes.py, by name.

-- name: sample_texts
with strata as (
    select
        embedding.text_sha256,
        min(concat_ws(
            '|',
            comment.source_slug,
            response.service_slug,
            date_trunc('quarter', response.submitted_on)::date
        )) as stratum
    from analysis.embedding
    inner join feedback.comment using (text_sha256)
    inner join feedback.response using (response_id)
    where embedding.encoder_version = %(encoder)s
    group by embedding.text_sha256
),

ranked as (
    select
        text_sha256,
        row_number() over (partition by stratum order by text_sha256) as text_rank,
        count(*) over (partition by stratum) as text_count
    from strata
),

-- The r-th text of a stratum of n stands at (r - 1/2) / n of it: taking texts by that place is a proportional
-- draw. The first of each stratum stands at 0, so that none is left out.
drawn as (
    select text_sha256
    from ranked
    order by case when text_rank = 1 then 0 else (text_rank - 0.5) / text_count end, text_sha256
    limit %(limit)s
)

select
    drawn.text_sha256,
    said.comment_text,
    embedding.embedding
from drawn
inner join analysis.embedding
    on drawn.text_sha256 = embedding.text_sha256 and embedding.encoder_version = %(encoder)s
cross join lateral (
    select comment_text from feedback.comment where comment.text_sha256 = drawn.text_sha256 limit 1
) as said
order by drawn.text_sha256
