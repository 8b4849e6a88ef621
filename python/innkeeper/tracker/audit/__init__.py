"""The life of an audit: sources that compare, findings that stay until they are gone, repairs."""
