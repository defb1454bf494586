"""Service level objectives: indicators, budgets, burn-rate alerts, agreements and reports."""
