"""What people and their assistants may look at over HTTP: the stream of an Incident's steps, and MCP. Reads only.

Whoever asks is known by the API server (TokenReview), and may see here what he may read there (SubjectAccessReview).
"""
