"""One thin file a stage: params to science to table."""
