"""The steps that the loop goes through with an Incident: what they are, where they are told, who follows them."""
