"""Followers: what reads the audit file and passes its lines on to somebody else."""
