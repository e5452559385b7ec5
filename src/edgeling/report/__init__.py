"""The report: one self-contained page (``page``) about what a run found out (``content``)."""
