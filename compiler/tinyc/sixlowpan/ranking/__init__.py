"""What the ranking model is trained and judged with: traffic of many shapes, with attacks."""
