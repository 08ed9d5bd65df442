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

-- name: accepted_payloads
select
    accepted.source_record_ref,
    record.payload
from feedback.record as accepted
inner join landing.record using (delivery_id, record_number)
where accepted.source_slug = %(source_slug)s and accepted.source_record_ref = any(%(keys)s)

-- name: waiting_payloads
-- What was landed last of records of which none was accepted: the run ended before, or they were set aside.
select distinct on (record.payload ->> %(key_column)s)
    record.payload ->> %(key_column)s as record_key,
    record.payload
from landing.delivery
inner join landing.record using (delivery_id)
where
    delivery.source_slug = %(source_slug)s
    and record.record_state in ('pending', 'set_aside')
    and record.payload ->> %(key_column)s = any(%(keys)s)
order by record_key asc, delivery.file_modified_at desc, record.record_number desc

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
