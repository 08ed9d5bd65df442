select
    measure_slug,
    measure_label,
    definition,
    numerator,
    denominator,
    source,
    unit,
    case suppression_setting
        when 'suppression_fft_min_responses' then {{ var('suppression_fft_min_responses') }}
        when 'suppression_comment_min_responses' then {{ var('suppression_comment_min_responses') }}
    end as min_responses,
    suppression_rule,
    measure_version,
    effective_from
from {{ ref('measures') }}
