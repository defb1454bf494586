"""Automated remediation: rules from an alert to steps of a runbook, with guard rails."""
