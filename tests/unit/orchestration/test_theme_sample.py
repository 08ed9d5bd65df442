"""The texts that a fit looks at: bounded, the same for the same texts, each service and quarter with its share."""

from __future__ import annotations

from pgvector.psycopg import register_vector

from patient_feedback.orchestration.themes import draw_sample
from patient_feedback.warehouse.connection import connect


def drawn(registry, limit: int) -> list[str]:
    with connect(registry.settings, "test") as connection:
        register_vector(connection)
        return draw_sample(connection, registry.encoder, limit).hashes


def of_service(registry, slug: str, subject: str, count: int) -> set[str]:
    hashes = registry.add_texts(subject, count)
    with connect(registry.settings, "test") as connection:
        connection.execute(
            "update feedback.response set service_slug = %s where response_id = any(%s)", (slug, hashes)
        )
    return set(hashes)


def test_sample_gives_each_service_its_share_and_the_smallest_one_text(registry):
    large = of_service(registry, "large", "parking machine ticket", 160)
    middle = of_service(registry, "middle", "phone queue hold", 39)
    small = of_service(registry, "small", "cold food breakfast", 1)
    chosen = drawn(registry, 20)
    assert chosen == sorted(chosen)
    assert small <= set(chosen)
    assert [len(large & set(chosen)), len(middle & set(chosen))] == [15, 4]
    assert drawn(registry, 20) == chosen
    assert set(drawn(registry, 1_000)) == large | middle | small


def test_text_that_is_added_pushes_out_at_most_one_other(registry):
    of_service(registry, "large", "parking machine ticket", 160)
    before = set(drawn(registry, 20))
    registry.add_texts("noise corridor night", 1)
    assert len(before - set(drawn(registry, 20))) <= 1
