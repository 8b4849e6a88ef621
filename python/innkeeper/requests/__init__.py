"""The operator's and caller's words turned into inventories and requests."""
