"""What authors of policies work with: rehearse, explain, replay, learn, scan, import."""
