"""The words of the platform: values, their units, and the ports to the outside."""
