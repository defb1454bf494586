"""What every page and every API route of Watchkeeper stands on."""
