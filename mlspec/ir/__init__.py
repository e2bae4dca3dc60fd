"""The intermediate representation: what an application *means*, with one form per meaning."""
