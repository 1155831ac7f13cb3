"""Follow what was detected in a video."""
