"""The one owner of a host's ledger."""
