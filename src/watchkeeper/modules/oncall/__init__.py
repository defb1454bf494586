"""Who is on call, and who is called when: schedules and escalation policies."""
