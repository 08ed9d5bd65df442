"""The assets that tie the DAGs together, named layer.table."""

from airflow.sdk import Asset

FEEDBACK_COMMENT = Asset("feedback.comment", uri="x-feedback://feedback/comment", group="feedback")
ANALYSIS_SENTIMENT = Asset("analysis.sentiment", uri="x-feedback://analysis/sentiment", group="analysis")
ANALYSIS_THEME_ASSIGNMENT = Asset(
    "analysis.theme_assignment", uri="x-feedback://analysis/theme_assignment", group="analysis"
)
PATIENT_EXPERIENCE_FCT_COMMENTS = Asset(
    "patient_experience.fct_comments", uri="x-feedback://patient_experience/fct_comments", group="marts"
)
