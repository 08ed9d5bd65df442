"""A landed record names a delivery that is there: looked at once a statement, where a foreign key looks at each row.

Revision ID: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UPGRADE = """
alter table landing.record drop constraint record_delivery_id_fkey;

create function landing.require_deliveries() returns trigger language plpgsql as $$
declare
    named text[] := array(select distinct delivery_id from landed);
begin
    -- Nobody deletes a delivery before the transaction that brings its records ends.
    perform from landing.delivery where delivery_id = any(named) for key share;
    if exists (
        select from unnest(named) as wanted (id)
        where not exists (select from landing.delivery where delivery.delivery_id = wanted.id)
    ) then
        raise foreign_key_violation using
            message = 'A landed record names a delivery that is not in landing.delivery: write the delivery first.';
    end if;
    return null;
end $$;
create trigger require_deliveries after insert on landing.record
referencing new table as landed for each statement execute function landing.require_deliveries();

create function landing.keep_delivery() returns trigger language plpgsql as $$
begin
    raise foreign_key_violation using
        message = 'A landed record stays with the delivery that brought it: landing.record.delivery_id is not changed.';
end $$;
create trigger keep_delivery before update of delivery_id on landing.record
for each row when (new.delivery_id is distinct from old.delivery_id) execute function landing.keep_delivery();

create function landing.keep_deliveries_of_records() returns trigger language plpgsql as $$
begin
    -- An older snapshot does not show the records that another transaction brought.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise feature_not_supported using
            message = 'A delivery is taken away, or named anew, in a transaction that is read committed.';
    end if;
    if exists (select from landing.record where record.delivery_id = old.delivery_id) then
        raise foreign_key_violation using
            message = 'A delivery whose records are in landing.record stays, and keeps its id: they could not be retraced.';
    end if;
    return case tg_op when 'DELETE' then old else new end;
end $$;
create trigger keep_deliveries_of_records before delete or update of delivery_id on landing.delivery
for each row execute function landing.keep_deliveries_of_records();

create function landing.keep_some_deliveries() returns trigger language plpgsql as $$
begin
    if exists (select from landing.record) then
        raise foreign_key_violation using
            message = 'landing.delivery is emptied together with landing.record or not at all.';
    end if;
    return null;
end $$;
create trigger keep_some_deliveries after truncate on landing.delivery
for each statement execute function landing.keep_some_deliveries();
"""

DOWNGRADE = """
drop function landing.require_deliveries() cascade;
drop function landing.keep_delivery() cascade;
drop function landing.keep_deliveries_of_records() cascade;
drop function landing.keep_some_deliveries() cascade;
alter table landing.record add constraint record_delivery_id_fkey foreign key (delivery_id) references landing.delivery;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
