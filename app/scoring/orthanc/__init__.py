"""What `follow` is made of: requests to an Orthanc, answers to its series, how they are written, how far it has come."""
