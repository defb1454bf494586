"""Notifications: channels, contacts, rules, and every attempt to deliver."""
