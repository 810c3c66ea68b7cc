"""The life of calls, channel by channel: AMI messages in, facts out. Pure."""
