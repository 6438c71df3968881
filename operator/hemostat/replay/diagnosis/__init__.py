"""A diagnosis from recorded outputs of tools: read as what the API server said, matched, put to models, and scored."""
