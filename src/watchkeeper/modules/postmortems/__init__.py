"""What was learned: postmortems drafted from the record, and what is done so that it comes less often."""
