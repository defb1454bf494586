"""Reports of objectives and agreements: counted, closed, shown as words, mail, PDF and CSV."""
