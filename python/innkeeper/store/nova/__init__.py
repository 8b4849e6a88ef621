"""Nova's tables as the projection of the ledger: written in the change set's own transaction."""
