"""The Flask app that takes words and images, and asks a server for predictions."""
