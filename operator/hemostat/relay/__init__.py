"""`hemostat relay`: tells people in Slack what is wrong, passes on their word as Approvals, and can do nothing else."""
