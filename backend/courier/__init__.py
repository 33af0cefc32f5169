"""The courier: reads Label Studio's state, decides the trigger, pushes what was predicted."""
