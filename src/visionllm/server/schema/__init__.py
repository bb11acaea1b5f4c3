"""What requests may hold, as closed schemas: an unknown field is refused."""
