"""What has to happen with devices between two holders."""
