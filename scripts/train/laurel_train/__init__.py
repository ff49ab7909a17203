"""Training of Laurel Gate's plate detector and reader, from pictures to checked ONNX."""
