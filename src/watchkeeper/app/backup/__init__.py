"""Backup and restore: one encrypted file that holds everything, and the drill that proves it."""
