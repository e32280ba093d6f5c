"""What a person or a program reads: tables as CSV, the summary on a console, pictures; one module a form."""

CSV, MARKDOWN, PARQUET = "csv", "markdown", "parquet"
FORMATS = (CSV, MARKDOWN, PARQUET)
