select
    topic_slug,
    partnership_side,
    is_main_side,
    reason
from {{ ref('partnership_topics') }}
