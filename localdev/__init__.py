"""Local PostgreSQL and Valkey, the demo, and the commands a developer runs; never imported by the product."""
