"""Objectives as recording and alerting rules of Prometheus, which fire when ours do."""
