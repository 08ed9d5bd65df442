-- Statements of landing_extracts.py, by name.

-- name: known_versions
select
    record_key,
    content_sha256
from landing.extracted_record
where source_slug = %(source_slug)s and record_key = any(%(keys)s)

-- name: note_versions
insert into landing.extracted_record (source_slug, record_key, content_sha256, is_withdrawn)
values (%(source_slug)s, %(key)s, %(sha256)s, %(is_withdrawn)s)
on conflict (source_slug, record_key) do update
set content_sha256 = excluded.content_sha256, is_withdrawn = excluded.is_withdrawn

-- name: accepted_payload
select record.payload
from feedback.record as accepted
inner join landing.record using (delivery_id, record_number)
where accepted.source_slug = %(source_slug)s and accepted.source_record_ref = %(key)s

-- name: held_keys
select record_key
from landing.extracted_record
where source_slug = %(source_slug)s and not is_withdrawn

-- name: held_versions
select
    record_key,
    content_sha256
from landing.extracted_record
where source_slug = %(source_slug)s and not is_withdrawn

-- name: move_cursor
insert into landing.source_cursor as kept (source_slug, position, run_id)
values (%(source_slug)s, %(position)s, %(run_id)s)
on conflict (source_slug) do update
set position = excluded.position, run_id = excluded.run_id, moved_at = now()
where kept.position <> excluded.position
