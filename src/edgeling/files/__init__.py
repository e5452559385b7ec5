"""What every room that writes or reads files shares: files written whole, arrays as bytes, JSON without tricks."""
